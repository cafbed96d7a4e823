import { mount } from 'svelte'
import App from './App.svelte'
import './style.css'

document.documentElement.dataset.theme = localStorage.getItem('pollux.theme') ?? 'system'
const page = document.getElementById('page')
page.replaceChildren()
mount(App, { target: page })
